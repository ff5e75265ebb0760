Bd_bJªA
¿e‘3ø