B
upstream_yJ öK/¿x¶?ò!?“¨˜¿–Çz¿PŸ5?•Cµ¿-¬®?