"""A small library to learn image denoising with DnCNN."""
