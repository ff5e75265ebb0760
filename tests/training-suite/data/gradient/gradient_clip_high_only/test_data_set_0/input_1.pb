B
upstream_yJ<žêr¿’X™?R0‰?ôL›¿å¢7¿KMe¿¤1y?¢Î¿v??ªH¿•=Ž?ô®
?Eh±¿‹xd?›S¿