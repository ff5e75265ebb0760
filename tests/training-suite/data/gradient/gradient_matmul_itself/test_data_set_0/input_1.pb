B
upstream_yJ$Ã@†?ïp‚¿Ép?˜¿a—¿Bn‡?›¯•¿Uâ®¿tÁŸ?