"""What a picture says of itself to other programs: title, one line of parameters, and an XMP packet."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from db.reviews import UNSAID, Said
from gallery.export.png import with_text_chunks
from gallery.export.recipe import KEYWORD, Recipe, tool
from sweep.combination import Settings, canonical_json

XMP_KEYWORD = "XML:com.adobe.xmp"


def with_recipe(picture: bytes, recipe: Recipe, said: Said = UNSAID) -> bytes:
    """A copy of a PNG that carries this recipe instead of the one it was made with; its pixels' bytes stay the same.

    Raises:
        ImageError: the bytes are no PNG, or a damaged one.
    """
    texts = {
        KEYWORD: canonical_json(recipe),
        "parameters": parameters_line(recipe),
        "Title": title(recipe),
        "Software": tool(),
        XMP_KEYWORD: xmp(recipe, said),
    }
    return with_text_chunks(picture, texts)


def title(recipe: Recipe) -> str:
    """'harbour.jpg in the style of waves.png'; of a blend every picture with its share, of regions every style with its mask."""
    regions = [f"{_blend(one['style'])} in {one['mask']['name']}" for one in recipe.get("regions", ())]
    return _clean(f"{recipe['content']['name']} in the style of {' + '.join(regions) or _blend(recipe['style'])}")


def _blend(styles: Sequence[Mapping[str, Any]]) -> str:
    return " + ".join(one["name"] if len(styles) == 1 else f"{one['share']:.4g} {one['name']}" for one in styles)


def parameters_line(recipe: Recipe) -> str:
    """The dialect of AUTOMATIC1111's web UI, which most viewers of made pictures show: a title, then `Name: value` pairs in a line."""
    settings = recipe["settings"]
    pairs: dict[str, Any] = {
        "Steps": settings["steps"],
        "Sampler": settings["recipe"],
        "Seed": settings["seed"],
        "Size": settings["size"],
        "Model": settings["network"],
        "Alpha": f"{recipe['alpha']:g}",
        "Beta": f"{recipe['beta']:g}",
        "Layers": recipe["layers"]["name"].replace(",", " "),
        "Init": settings["init"],
        "TV": f"{settings['tv']:g}" if settings["tv"] else None,
        **_departures(settings),
        "Run": recipe["run_key"],
        "Version": tool(),
    }
    return f"{title(recipe)}\n{_clean(', '.join(f'{name}: {value}' for name, value in pairs.items() if value is not None))}"


def _departures(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every other control that is not neutral, under its own name."""
    own = Settings.of(settings)
    return {name: getattr(own, name) for name in own.departures() if name not in _SAID}


_SAID = ("steps", "recipe", "seed", "size", "network", "network_hash", "init", "tv")


def xmp(recipe: Recipe, said: Said = UNSAID) -> str:
    """An XMP packet (ISO 16684-1) with dc:title, dc:description, xmp:CreatorTool, and a review as photo managers have it.

    xmp:Rating is the stars, or -1 for rejected; xmp:Label says that a picture was picked; dc:subject holds its tags.
    """
    rating = -1 if said.flag == "reject" else said.stars
    review = f"<xmp:Rating>{rating}</xmp:Rating>" if rating else ""
    review += "<xmp:Label>Pick</xmp:Label>" if said.flag == "pick" else ""
    tags = "".join(f"<rdf:li>{escape(_clean(tag))}</rdf:li>" for tag in said.tags)
    review += f"<dc:subject><rdf:Bag>{tags}</rdf:Bag></dc:subject>" if tags else ""
    description = parameters_line(recipe).split("\n")[1]
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        f"<dc:title>{_alternatives(title(recipe))}</dc:title>"
        f"<dc:description>{_alternatives(description)}</dc:description>"
        f"<xmp:CreatorTool>{escape(tool())}</xmp:CreatorTool>{review}"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )


def _alternatives(text: str) -> str:
    return f'<rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt>'


def _clean(text: str) -> str:
    """Without control characters: a PNG's text has no NUL, XML has none of them."""
    return "".join(character for character in text if character.isprintable())
