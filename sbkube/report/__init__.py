"""Values into text: for people on a terminal, and for programs as JSON, YAML or compact text.

Functions here take values and give text; they decide nothing and write nowhere. Only `progress` draws.
"""
