"""The use case: request -> runs -> judged -> report -> verdict -> exit code."""
