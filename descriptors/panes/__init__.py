"""What portal and console show alike of one node: its definition and its access. No HTTP here: both doors give it a frame."""

from descriptors.panes import access, definition

__all__ = ["access", "definition"]
