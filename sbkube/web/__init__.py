"""The page of `sbkube serve`: it reads the state database and acts through `sbkube.api`."""
