"""Detections put to use: pictures and exports."""
