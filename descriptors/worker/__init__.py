"""What a worker process does: claim operations, drive hypervisors, commit the outcomes. See `engine`."""
