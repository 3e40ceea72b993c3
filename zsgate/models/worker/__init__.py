"""A model in a process of its own: what is asked, what is answered, and who watches."""
