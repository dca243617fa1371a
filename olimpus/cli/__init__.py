"""The command line `olimpus`: a client of the REST API that knows nothing but HTTP."""
