#!/usr/bin/env python
"""Django's command line for Olimpus."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError, ProgrammingError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "olimpus.settings.dev")
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in sys.argv:
            raise
        hint = "Is this the right OLIMPUS_HOME or DATABASE_URL, and were its tables made (manage.py migrate)?"
        sys.exit(f"manage.py: the database cannot be used: {error}. {hint}")
