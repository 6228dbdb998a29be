"""The page of `sbkube serve`: it reads the state database through `sbkube.api`, and changes nothing."""
