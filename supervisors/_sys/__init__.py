"""What `supervisors.sys` is made of: the seam to behaviours, and the debug options."""
