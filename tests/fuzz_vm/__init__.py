"""The job `make fuzz-vm`: drawn programs, damaged contracts and noise against contracts.vm."""
