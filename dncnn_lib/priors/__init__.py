"""The systems before DnCNN, a file each: modules that map a noisy batch to a restored one."""
