B
upstream_yJ(ïD£¿VÛ¿?÷!<?oÌ'?ŠP¿gj?ÒÊ¿®‰¿¿!N2?