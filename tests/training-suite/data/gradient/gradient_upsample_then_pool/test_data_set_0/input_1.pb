B
upstream_yJÖï?ÓøN¿q?Ô³¿