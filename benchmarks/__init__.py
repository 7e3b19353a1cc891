"""What the images from here cost and give, beside other ways to serve the same model on the same machine."""
