"""A remote partner in plain Python: what an engineer of a partner writes, in any language."""
