"""From archives of annotated fields to COCO json; used from a checkout, not installed."""
