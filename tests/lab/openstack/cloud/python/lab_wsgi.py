"""WSGI factories for gunicorn.

Keystone parses the command line of the process that loads it, so the options
meant for gunicorn have to be hidden from it first.
"""

import sys


def keystone():
    sys.argv = ["keystone"]
    from keystone.server import wsgi

    return wsgi.initialize_public_application()


def placement():
    sys.argv = ["placement"]
    from placement import wsgi

    return wsgi.init_application()
