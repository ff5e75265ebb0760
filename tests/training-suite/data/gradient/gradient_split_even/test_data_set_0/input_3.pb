B
upstream_cJ¦y?~œ¿