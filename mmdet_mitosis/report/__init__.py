"""A test as one HTML page: what was measured, and what the figures are made of."""

from mmdet_mitosis.report.page import render_page, write_report

__all__ = ["render_page", "write_report"]
