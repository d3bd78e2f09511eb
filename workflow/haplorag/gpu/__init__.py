"""What runs on a GPU: kernels in Triton, and what calls them."""
