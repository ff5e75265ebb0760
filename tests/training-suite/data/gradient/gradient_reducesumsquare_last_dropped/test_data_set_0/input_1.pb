B
upstream_yJú5?Y?Z¬¿"B ?\‚¿?