"""Crashes of a node at every point of what it writes, and at random ones.

`shim.c` is preloaded into a process that runs a workload and records each of its file operations
in order, below LevelDB and Python alike; `record` runs it and reads the trace. The workload says
in the same trace what it acknowledged. `images` makes, for every point between two operations, the
folders that a crash there may leave:

- after a kill: all that was asked of the kernel;
- after a power failure: of each file what was synced, and any part of what was written since; of
  each folder the names that were synced, and the first so many changes since. Files and folders
  fail independently, so only an fsync of a folder makes a name outlive the power. Within one folder
  changes keep their order, and what is written unsynced is not there before them; a rename happens
  in both its folders or in none. So it is with the journals of ext4, xfs and btrfs, and LevelDB
  needs it: it renames CURRENT and removes the old MANIFEST without a sync between, and appends the
  name of a table to the MANIFEST before it syncs that name.

`check` opens each image with the product's own code and holds it against what was acknowledged.
Equal images are opened once. `planted` breaks the product in ways that must be found so.

    make crash                          everything, with the counts
    python -m tests.crash --kills 500   more random kills (SIGKILL) of real processes
"""
