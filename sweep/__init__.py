"""stylesweep: sweeps over neural style transfer. Imports nothing, so that the gallery and the database stay light."""

__version__ = "0.1.0"
