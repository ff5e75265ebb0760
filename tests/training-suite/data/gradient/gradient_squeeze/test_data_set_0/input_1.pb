B
upstream_yJrw•?ü¬¿ì«?¯²²¿-šµ¿^E¿