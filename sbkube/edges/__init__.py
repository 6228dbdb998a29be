"""The outside world: one module for each thing out there, whose errors end in that module.

Nothing here decides anything. Each edge does what it is told and translates every foreign error into a class of
`sbkube.errors`.
"""
