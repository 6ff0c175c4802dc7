"""The sub-commands of `supervisor`, one file each; every file has a click command called `command`."""
