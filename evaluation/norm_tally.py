"""Counts of rows by the norm of the gradient of their loss."""

from __future__ import annotations
