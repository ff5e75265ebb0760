BlossJÑ
ž?