"""Findings and outcome -> text, JSON, SARIF, ..."""
