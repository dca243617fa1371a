"""The commands of clouds: what is not one machine."""
