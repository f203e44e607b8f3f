"""The files of a new contract, with $name and $module to fill in."""
