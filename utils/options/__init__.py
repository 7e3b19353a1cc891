"""The command line and the config file, parsed once into a BuildSpec."""
