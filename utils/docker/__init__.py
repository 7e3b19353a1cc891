"""The Docker build: context, wheels, client, engine, image and the boot proof's container."""
