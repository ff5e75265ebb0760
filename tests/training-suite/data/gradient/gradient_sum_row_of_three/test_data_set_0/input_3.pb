B
upstream_yJ0ûÌz¿?oÈl?ı›¿”Æˆ?aÿ&¿*Ç¿¨¿?khR¿sN¿,J?]?