"""The commands of slices: topologies of machines."""
