"""The Docker build: context, wheels, client, engine, image and the container under proof."""
