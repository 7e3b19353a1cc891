"""One build from its BuildSpec to a proven image: the plan, the report, versions, proof and publication."""
