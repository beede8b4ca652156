"""For those who operate it: health, probes, metrics. No tenant data, and no tenant in a label."""
