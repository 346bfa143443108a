"""Answers for people and programs: words, JSON, and the report with its figures."""
