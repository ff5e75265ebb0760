B
upstream_yJe7”¿ÃœT?}R?c?¯?ÀÒ¿