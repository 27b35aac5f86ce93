"""The command line. Composes everything, importing heavy things only in the command that needs them."""
