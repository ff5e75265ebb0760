B
upstream_yJÍ;‰¿b¸=?E¹s¿²ƒ?‡5y¿?H¿