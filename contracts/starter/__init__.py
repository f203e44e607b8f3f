"""A folder to begin a contract in: source, test, settings of the tools, README.

project    what the folder holds, and writing it: `begin`
templates  the files, with $name (of the contract) and $module (of its file) to fill in
"""
