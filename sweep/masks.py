"""The masks of a sweep, on the driver's side: looked at before anything runs, each beside the photographs it is for."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sweep.errors import ImageError, SpecError
from sweep.inputs import InputFile, look_at
from sweep.spec import SweepSpec
from sweep.styles import MaskedBlend
from sweep.transfer.images import ON_WHITE, mask_levels, one_shape, resized


def inspect_masks(spec: SweepSpec, files: Mapping[Path, InputFile]) -> dict[Path, InputFile]:
    """Decode every mask once. files: the photographs, looked at already.

    Raises:
        SpecError: one is broken, black everywhere at the sweep's smallest size, of another shape than a photograph that it is for,
            or the same picture as that of another region.
    """
    smallest = spec.smallest()
    found: dict[Path, InputFile] = {}
    for content, region in spec.masked():
        path = region.mask_of(content)
        if path not in found:
            found[path] = _looked_at(region, path, smallest)
        mask, photograph = found[path], files[content]
        if not one_shape((mask.height, mask.width), (photograph.height, photograph.width)):
            raise SpecError(
                f"{region.where}: the mask {path} of {mask.width} x {mask.height} pixels has another shape than the photograph "
                f"{content} of {photograph.width} x {photograph.height}; make it from the photograph, whole and upright."
            )
    for content, style in spec.pairs():
        _check_that_they_differ([(region, found[region.mask_of(content)]) for region in style.regions])
    return found


def _check_that_they_differ(masks: list[tuple[MaskedBlend, InputFile]]) -> None:
    seen: dict[str, Path] = {}
    for region, mask in masks:
        if mask.sha256 in seen:
            raise SpecError(
                f"{region.where}: the masks {seen[mask.sha256]} and {mask.path} are the same picture; "
                "make their regions one, with a blend as its style."
            )
        seen[mask.sha256] = mask.path


def _looked_at(region: MaskedBlend, path: Path, smallest: int) -> InputFile:
    try:
        file, picture = look_at(path)
    except ImageError as error:
        raise SpecError(f"{region.where}: {error}") from error
    levels = mask_levels(picture)
    if not resized(levels, smallest).any():
        where = f"shrunk to {smallest} pixels" if levels.any() else "everywhere"
        raise SpecError(
            f"{region.where}: the mask {path} is black {where}, so its style would go nowhere. White is inside; what is transparent "
            "counts as black. Paint its region white, or leave the region out."
        )
    if picture.alpha is None:
        return file
    remarks = [remark for remark in file.remarks if not remark.endswith(ON_WHITE)]
    return replace(file, remarks=(*remarks, f"{path} is partly transparent; a mask is black there."))
