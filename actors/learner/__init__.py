"""The learner: learns a task of few labels with dreams, says what each was worth, keeps an arm without."""
