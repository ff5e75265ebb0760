B
upstream_yJ ü¿ÔX@¿²w˜¿<û¢¿“D+¿U,•¿6mi¿3ÖB?